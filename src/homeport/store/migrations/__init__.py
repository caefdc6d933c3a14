"""Steps from one version of the tables to the next; run by `schema`, never edited once released."""
