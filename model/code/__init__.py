"""Classes and functions of your own that a model needs to be loaded: the modules in here travel with it.

They may import installed libraries and each other, and nothing else of this repository.
"""
