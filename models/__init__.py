"""Captioners: arrays in, words out. Keras layers, vocabulary, search, training and scores."""
