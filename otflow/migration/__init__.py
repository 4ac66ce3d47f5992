"""From MLflow to otflow: what a database or a directory of MLflow's holds, written into ours; see `importing`.

`opening` tells what a source is; `database` and `directory` read one, each with a module per noun. What they read are
the `records` that both have in common. The modules named `write_…` put them into our tables; `merging` decides what a
repeated import may change, by what `memory` has kept of the one before.
"""
