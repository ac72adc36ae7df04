"""The pipeline on servers that ask who is there: TLS, logins, access rules."""
