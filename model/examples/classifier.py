"""Classification on an array, with probabilities: scikit-learn's iris set, 150 flowers of three species."""

from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from model.trained import Trained, first_share

NAME = "iris"
SEED = 7


def train(rows_share: float = 1.0) -> Trained:
    """Fit on a share of the training rows; a fifth of all rows is held back for testing."""
    dataset = load_iris()
    species = dataset.target_names[dataset.target]  # labels as answers have them: strings here
    train_rows, test_rows, train_labels, test_labels = train_test_split(
        dataset.data, species, test_size=0.2, stratify=species, random_state=SEED
    )
    train_rows, train_labels = first_share(train_rows, rows_share), first_share(train_labels, rows_share)

    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(train_rows, train_labels)

    return Trained(
        name=NAME,
        model=model,
        task="classification",
        target="species: setosa, versicolor or virginica",
        train_rows=train_rows,
        test_rows=test_rows,
        features=("sepal_length_cm", "sepal_width_cm", "petal_length_cm", "petal_width_cm"),
        metrics={
            "accuracy": accuracy_score(test_labels, model.predict(test_rows)),
            "log_loss": log_loss(test_labels, model.predict_proba(test_rows), labels=model.classes_),
        },
        parameters={"seed": SEED},
        data="scikit-learn's iris set (Fisher, 1936)",
        intended_use="To show how a classifier and its probabilities are served and released.",
        limits="It knows three species and names one of them whatever the flower is.",
    )
