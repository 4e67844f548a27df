"""Corpora that know what is in them: each text carries what a detector is to find in it, and where.

Everything is drawn from one seed, so that two runs judge the same texts. Nothing here knows a detector.
"""
