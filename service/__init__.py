"""The scoring service: azmlinfsrv calls score.init(), which starts uvicorn with the FastAPI app of engine/."""
