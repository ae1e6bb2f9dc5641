"""Speech services over HTTP: what each is asked, and one source for all of them."""
