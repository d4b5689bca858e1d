"""Small experiments that show the mistakes in the five documents, for docs/documents.md.

    python -m docs.build.errata --data mnist --data-dir FOLDER [--only NAME]
    python -m docs.build.errata samples --data mnist --data-dir FOLDER [--colour ARCHIVE] [--only MODEL]

The first command runs the experiments, the second trains every model with its defaults. Both write their results to
docs/errata.json and docs/pictures/documents-*.png, and update docs/documents.md.
"""
