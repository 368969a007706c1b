"""The reconciler: it lists the buckets of dropped objects, and requests the jobs that no notification requested.

::

    list ─▶ ours, a folder, young? ─▶ done by its default identity? ─▶ HEAD ─▶ done, accepted? ─▶ publish ─▶ note
                  └─ skipped                    └─ known                              └─ known

A job is published before it is noted as accepted: a crash in between leads to a second reference with the same
identity, which completes silently, and never to a job that is noted and not requested.
"""
