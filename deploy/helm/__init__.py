"""The Helm chart, and the command that checks it: ``python -m deploy.helm``."""
