module callwright.test/conformance

go 1.19
