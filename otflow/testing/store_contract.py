"""`StoreContract`: the contract of `otflow.store.interface.Store` as a test suite.

```python
class TestMyStore(StoreContract):
    @pytest.fixture
    def store(self):
        store = MyStore(...)
        yield store
        store.close()
```

The store may be shared by many tests: each test makes experiments and traces of its own. Needs pytest and hypothesis.
"""

from __future__ import annotations

from otflow.testing.contract.annotating import AssessmentContract, LinkContract, TagContract
from otflow.testing.contract.experiments import ExperimentContract
from otflow.testing.contract.large import LargeContract
from otflow.testing.contract.models import LoggedModelContract
from otflow.testing.contract.prompts import PromptContract
from otflow.testing.contract.reading import DeletingContract, ReadingContract
from otflow.testing.contract.registry import RegistryContract
from otflow.testing.contract.registry_search import RegistrySearchContract
from otflow.testing.contract.run_search import RunSearchContract
from otflow.testing.contract.runs import RunContract
from otflow.testing.contract.searching import FilterContract, PageContract
from otflow.testing.contract.webhooks import WebhookContract
from otflow.testing.contract.workspaces import WorkspaceContract
from otflow.testing.contract.writing import WritingContract

__all__ = ["StoreContract"]


class StoreContract(
    WritingContract,
    ReadingContract,
    DeletingContract,
    LargeContract,
    PageContract,
    FilterContract,
    TagContract,
    LinkContract,
    AssessmentContract,
    ExperimentContract,
    RunContract,
    RunSearchContract,
    LoggedModelContract,
    RegistryContract,
    RegistrySearchContract,
    PromptContract,
    WorkspaceContract,
    WebhookContract,
):
    """What every store does. A subclass brings a fixture `store`."""
