"""Where traces and experiments are kept: one contract, several stores."""
