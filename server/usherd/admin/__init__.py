"""What operators see of a daemon, put together of all rooms: metrics, liveness and readiness."""
