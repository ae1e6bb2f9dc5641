"""The description of an HTTP interface: said as values beside its routes, told as OpenAPI 3.1 and as a page.

The room knows no interface. Each says its operations in the words of `operation` and `shapes`; `document` makes one
OpenAPI document of them, `page` a page that needs nothing else to be read, and `published` serves both. Only the last is
imported by a server that starts.
"""
