"""What is wrong in the five documents, shown: small experiments on minigan behind docs/documents.md.

    python -m docs.build.errata --data mnist --data-dir FOLDER [--only NAME]
    python -m docs.build.errata samples --data mnist --data-dir FOLDER [--colour ARCHIVE] [--only MODEL]

The first does the experiments, the second trains every model by its defaults. Both write what they find into
docs/errata.json and docs/pictures/documents-*.png, and fill docs/documents.md with it.
"""
