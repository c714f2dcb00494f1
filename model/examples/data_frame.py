"""A data frame with text, categories, truth values and gaps, made up from a seed: which customers leave."""

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from model.trained import Trained, first_share

NAME = "customers"
SEED = 7
CUSTOMERS = 600
GAPS = 0.1
PLEASED = ["thank you, solved at once", "works well for us", "please add one more seat"]
CROSS = ["the invoice is wrong again", "still waiting for an answer", "please cancel the renewal"]


def train(rows_share: float = 1.0) -> Trained:
    """Fit on a share of the training rows; a fifth of all rows is held back for testing."""
    customers = make_customers()
    train_part, test_part = train_test_split(customers, test_size=0.2, random_state=SEED)
    train_part = first_share(train_part, rows_share)
    train_rows, test_rows = train_part.drop(columns="leaves"), test_part.drop(columns="leaves")

    columns = ColumnTransformer(
        [
            ("text", TfidfVectorizer(), "last_message"),  # a name alone: the vectorizer takes a column, not a table
            ("categories", OneHotEncoder(handle_unknown="ignore"), ["plan", "country"]),
            ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), ["monthly_fee", "months"]),
            ("truths", "passthrough", ["pays_by_card"]),
        ]
    )
    model = make_pipeline(columns, LogisticRegression()).fit(train_rows, train_part["leaves"])

    return Trained(
        name=NAME,
        model=model,
        task="classification",
        target="whether the customer leaves within a quarter: leaves or stays",
        train_rows=train_rows,
        test_rows=test_rows,
        metrics={
            "accuracy": accuracy_score(test_part["leaves"], model.predict(test_rows)),
            "roc_auc": roc_auc_score(test_part["leaves"] == "stays", model.predict_proba(test_rows)[:, 1]),
        },
        parameters={"seed": SEED},
        data=f"{CUSTOMERS} customers made up from a seed; a tenth of the plans and of the fees is missing",
        intended_use="To show how text, categories and missing values are served and released.",
        limits="The customers do not exist.",
    )


def make_customers() -> pd.DataFrame:
    """Return the customers, each with what became of them."""
    random = np.random.default_rng(SEED)
    is_cross = random.random(CUSTOMERS) < 0.4  # noqa: PLR2004 - made up
    messages = np.where(is_cross, random.choice(CROSS, CUSTOMERS), random.choice(PLEASED, CUSTOMERS))
    plans, fees = random.choice(["basic", "team", "company"], CUSTOMERS), random.gamma(4.0, 20.0, CUSTOMERS).round(2)
    months = random.integers(1, 60, CUSTOMERS)
    risk = 2.0 * is_cross - 0.05 * months + 0.01 * fees + random.normal(0.0, 0.7, CUSTOMERS)
    customers = pd.DataFrame(
        {
            "last_message": messages,
            "plan": plans,
            "country": random.choice(["CH", "DE", "FR", "IT"], CUSTOMERS),
            "monthly_fee": fees,
            "months": months,
            "pays_by_card": random.random(CUSTOMERS) < 0.5,  # noqa: PLR2004 - made up
            "leaves": np.where(risk > np.median(risk), "leaves", "stays"),
        }
    )
    for column in ("plan", "monthly_fee"):
        customers[column] = customers[column].mask(random.random(CUSTOMERS) < GAPS)
    return customers
