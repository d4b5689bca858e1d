"""Look inside trained networks: what activates a feature, which pixels an output depends on, how noise maps to images.

    judge = mg.classifier.load("runs/cnn-mnist")
    found = mg.inside.views(judge, test.images, layer=6)  # what activates its feature maps, by a deconvnet
    mg.inside.saliency(judge, test.images[:8])  # which pixels its predictions depend on
    gan = mg.gan.load("runs/dcgan-mnist")
    mg.inside.interpolate(gan, *mg.inside.ends(gan, 8), steps=9)
    mg.inside.directions(gan, count=5).vectors  # the steps in noise that change the image most

All results are arrays, which `minigan.inside.pictures` draws.
"""

from minigan.inside.feature_views import Views, activations_of, views
from minigan.inside.latent import ClassMeans, Directions, along, class_means, directions, ends, interpolate, path
from minigan.inside.saliency_maps import saliency

__all__ = [
    "ClassMeans",
    "Directions",
    "Views",
    "activations_of",
    "along",
    "class_means",
    "directions",
    "ends",
    "interpolate",
    "path",
    "saliency",
    "views",
]
