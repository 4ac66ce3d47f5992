"""The chapters of `StoreContract`."""
