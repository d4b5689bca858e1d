"""`minigan models` and `minigan data`: what there is."""

import minigan.data
import minigan.models
from minigan.tool.words import table, text_of_shape


def models() -> str:
    """The models, a line each: name, kind, what it is."""
    kinds = minigan.models.kind_of
    return table((name, kinds(name), what) for name, what in minigan.models.available().items())


def data() -> str:
    """The data sets, a line each: name, images, their shape, whether they are here, what they are."""
    rows = []
    for listing in minigan.data.available():
        if listing.shape is None:
            rows.append((listing.name, "any", "any", "yours", listing.description))
            continue
        count = "any" if listing.count is None else f"{listing.count:,}"
        place = "drawn" if not listing.place else "downloaded" if listing.cached else "on the network"
        rows.append((listing.name, count, text_of_shape(listing.shape), place, listing.description))
    heading = ("name", "images", "shape", "where", "what")
    return f"{table([heading, *rows])}\n\ndownloads go to {minigan.data.cache_folder()} (MINIGAN_DATA changes that)"
