"""Training of networks on stored slices, and their export.

Only `earmark.training.settings` is imported without torch.
"""
