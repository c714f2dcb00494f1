"""Everything the emulator refuses, in Azure's terms; the control plane turns each class into its HTTP status."""


class AzureError(Exception):
    """A refusal with the code and the message of Azure's error document."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class BadRequestError(AzureError):
    """The request breaks a documented rule."""

    def __init__(self, message: str, *, code: str = "BadRequest") -> None:
        super().__init__(code, message)


class UnauthorizedError(AzureError):
    """The bearer token is missing, expired or was not issued here."""

    def __init__(self, message: str) -> None:
        super().__init__("AuthenticationFailed", message)


class NotFoundError(AzureError):
    """The named resource does not exist."""

    def __init__(self, message: str) -> None:
        super().__init__("ResourceNotFound", message)


class ConflictError(AzureError):
    """Another operation on the same resource is under way, or what never changes would."""

    def __init__(self, message: str, *, code: str = "Conflict") -> None:
        super().__init__(code, message)


class NotEmulatedError(AzureError):
    """The platform has this, the emulator does not: never a silent success."""

    def __init__(self, what: str) -> None:
        super().__init__("NotEmulated", f"emulator: {what} is not emulated; see deployment/emulator/README.md")


class ProvisioningError(AzureError):
    """A long-running operation ended badly: it becomes the error of the operation, not of a request."""


class CanceledError(ProvisioningError):
    """A long-running operation was canceled by another of higher priority."""

    def __init__(self, message: str) -> None:
        super().__init__("OperationCanceled", message)


class ModelDownloadError(ProvisioningError):
    """The files of a model or of a code asset could not be had."""

    def __init__(self, what: str, reason: str) -> None:
        super().__init__("BadArgument", f"Unable to download user {what}: {reason}")


class ResourceNotReadyError(ProvisioningError):
    """The container crashed or never became ready."""

    def __init__(self, reason: str) -> None:
        super().__init__("ResourceNotReady", f"User container has crashed or terminated: {reason}")


class ImagePullError(ProvisioningError):
    """The image could not be had."""

    def __init__(self, image: str, reason: str) -> None:
        super().__init__("BadArgument", f"Unable to download user container image '{image}': {reason}")
