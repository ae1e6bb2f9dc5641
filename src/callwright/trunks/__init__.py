"""Where outgoing calls go: trunks, and the hosts that ``sip:`` destinations may name."""
