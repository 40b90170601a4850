"""What a Distributed Map reads its items from, and writes its results to: objects in S3, and local files."""
