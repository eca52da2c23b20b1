"""Shapes of what goes over the wire, one file a subject.

Texts that come from files are replaced where they are not valid Unicode. Shares and probabilities
lie within [0, 1]; `…_s` are seconds, `…_at` seconds since 1970.
"""
