"""The reconciler on an S3 server, with a broker that the test is."""
