"""What reaches functions, queues, topics, buses and machines without anybody waiting for it."""
