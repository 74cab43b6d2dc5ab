"""The only place that wires objects together: ``build(settings)`` gives an ``App`` on which every job can run."""

from adapter.bootstrap.app import App, actor, build

__all__ = ["App", "actor", "build"]
