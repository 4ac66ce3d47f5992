"""Judging what agents and models do: for now, whether a candidate's figures are good enough."""
