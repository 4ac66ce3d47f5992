"""An agent that answers questions about Python from Python's own documentation, without a network.

- `library`: the documents, read from the standard library of the Python that runs it
- `retrieval`: a BM25 index over them
- `planner`: what a question asks for
- `tools`: signatures, sources, and expressions evaluated in a process of their own
- `model`: a "chat model" that answers with sentences of the documents it is given
- `assistant`: the agent, traced
- `questions`, `scorers`: questions with the facts their answers should state, and how answers are scored
- `report`: the traces, searched and printed
"""
