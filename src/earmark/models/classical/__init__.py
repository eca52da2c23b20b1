"""Classical models on summary features and embeddings; scikit-learn lives here."""
