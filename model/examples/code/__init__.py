"""What the examples' models need to be loaded; a model of yours has model/code/ for that."""
