"""Find the best of several forests, each a run of its own, and keep what it takes to see why.

The parent run holds the dataset, the table of all results and the figure; each child run a set of parameters, its
scores by number of trees, and a logged model. Data and training are scikit-learn's; no network.

    pip install 'otflow[pandas,matplotlib]' scikit-learn
    python examples/train_model.py
"""

from __future__ import annotations

import itertools

import matplotlib as mpl

mpl.use("agg")

import matplotlib.pyplot as plt
import pandas as pd
from sklearn.datasets import load_wine
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import ConfusionMatrixDisplay, accuracy_score, log_loss
from sklearn.model_selection import train_test_split

import otflow
from otflow.data import from_pandas

EXPERIMENT = "wine"
SEED = 7


def main() -> None:
    otflow.set_experiment(EXPERIMENT)
    frame = load_wine(as_frame=True).frame
    train, test = train_test_split(frame, test_size=0.3, random_state=SEED, stratify=frame["target"])
    training = from_pandas(train, name="wine-train", targets="target")
    testing = from_pandas(test, name="wine-test", targets="target")

    with otflow.start_run(run_name="search", description="Forests of several depths") as search:
        otflow.log_inputs([training, testing], ["training", "testing"], [None, None])
        for depth, features in itertools.product([1, 2, 4], ["sqrt", None]):
            with otflow.start_run(run_name=f"depth-{depth}-{features}", nested=True):
                train_one(train, test, testing, depth, features)

        children = otflow.search_runs(
            filter_string=f"tags.`mlflow.parentRunId` = '{search.info.run_id}'",
            order_by=["metrics.accuracy DESC", "metrics.loss ASC"],
        )
        columns = ["tags.mlflow.runName", "params.max_depth", "params.max_features", "metrics.accuracy", "metrics.loss"]
        table = children[columns].rename(columns=lambda name: name.rpartition(".")[2])
        otflow.log_table(table, "results.json")
        otflow.log_metric("best_accuracy", children["metrics.accuracy"][0])
        otflow.set_tag("best_run", children["run_id"][0])

    print(table.to_string(index=False))
    best = otflow.search_logged_models(
        order_by=[{"field_name": "metrics.accuracy", "ascending": False}], max_results=1, output_format="list"
    )[0]
    print(f"\nbest model: {best.name} ({best.model_id}), {best.params}")
    print(f"its run has: {', '.join(file.path for file in otflow.artifacts.list_artifacts(run_id=best.source_run_id))}")
    print(f"\nAll of it is in the experiment {EXPERIMENT!r} of {otflow.get_tracking_uri()}")


def train_one(
    train: pd.DataFrame, test: pd.DataFrame, testing: otflow.data.Dataset, depth: int, features: str | None
) -> None:
    """Train a forest tree by tree, and record what comes of it in the active run."""
    params = {"max_depth": depth, "max_features": features, "random_state": SEED}
    otflow.log_params(params)
    model = otflow.create_external_model(
        name=f"forest-{depth}-{features}",
        params={key: str(value) for key, value in params.items()},
        model_type="forest",
    )
    forest = RandomForestClassifier(warm_start=True, **params)
    x, y = train.drop(columns="target"), train["target"]
    x_test, y_test = test.drop(columns="target"), test["target"]
    for trees in (1, 2, 4, 8, 16):
        forest.set_params(n_estimators=trees).fit(x, y)
        scores = {
            "accuracy": accuracy_score(y_test, forest.predict(x_test)),
            "loss": log_loss(y_test, forest.predict_proba(x_test)),
        }
        otflow.log_metrics(scores, step=trees, model_id=model.model_id, dataset=testing)

    figure, axes = plt.subplots()
    ConfusionMatrixDisplay.from_estimator(forest, x_test, y_test, ax=axes)
    otflow.log_figure(figure, "confusion.png")
    plt.close(figure)
    importances = dict(zip(x.columns, forest.feature_importances_.round(4).tolist(), strict=True))
    otflow.log_dict(importances, "importances.yaml")


if __name__ == "__main__":
    main()
