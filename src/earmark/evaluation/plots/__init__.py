"""Pictures of reports and run folders; matplotlib lives here."""
