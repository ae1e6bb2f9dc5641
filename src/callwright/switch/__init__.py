"""Call control: one actor for each live call, between the engines, the record and the flow."""
