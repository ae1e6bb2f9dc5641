"""``callwright demo``: a platform, a customer's application and two telephones, each a process or thread of its own.

The demo judges the platform from outside. It shares the control client with the command line; everything else it
speaks (REST, callbacks and their signatures, SIP and RTP in the telephones) it speaks with code of its own.
"""
