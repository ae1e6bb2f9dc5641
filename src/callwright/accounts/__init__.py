"""Who may do what: accounts, their live and test worlds, access keys and signing keys."""
