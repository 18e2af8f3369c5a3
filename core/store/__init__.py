"""The database: models, migrations, and the statements that services share."""
