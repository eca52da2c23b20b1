"""Networks over slices; the one place in `earmark.models` where torch is imported."""
