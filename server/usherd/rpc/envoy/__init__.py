"""Answers Envoy's filter ext_authz (envoy.service.auth.v3), and whatever else speaks its protocol."""
