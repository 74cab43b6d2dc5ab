"""Signing in by OpenID Connect: the provider, and the routes to it and back."""
