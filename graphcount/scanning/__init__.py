"""Many models: listed, read by processes or a cluster, kept in an inventory.

The road: `targets` lists them, `inventory` remembers which are done, `local` or `cluster` runs
`work` on the rest, `exports` and `page` write the results.
"""
