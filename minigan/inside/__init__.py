"""Looking inside trained networks: what excites a feature, what a verdict depends on, what noise becomes which image.

    judge = mg.classifier.load("runs/cnn-mnist")
    found = mg.inside.views(judge, test.images, layer=6)  # what excites its feature maps, through a deconvnet
    mg.inside.saliency(judge, test.images[:8])  # which pixels its verdicts hang on
    gan = mg.gan.load("runs/dcgan-mnist")
    mg.inside.interpolate(gan, *mg.inside.ends(gan, 8), steps=9)
    mg.inside.directions(gan, count=5).vectors  # the steps in noise that change the image most

What comes out are arrays; `minigan.inside.pictures` draws them.
"""

from minigan.inside.arithmetic import ClassMeans, class_means
from minigan.inside.feature_views import Views, activations_of, views
from minigan.inside.input_gradient import saliency
from minigan.inside.jacobian import Directions, directions
from minigan.inside.latent import along, ends, interpolate, path

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
