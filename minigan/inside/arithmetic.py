"""What noise of one kind of image has in common, by a classifier: steps from one class to another.

source: Radford, Metz & Chintala, arXiv:1511.06434, section 6.3.2: the mean noise of women who smile, less that of women
who do not, added to that of men. They took three images of each kind, chosen by hand; here a classifier chooses many.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from minigan import random
from minigan.errors import DataError, ShapeError
from minigan.evaluation.judging import fitted
from minigan.inside.latent import generated, model_classes
from minigan.models import GAN, VAE, Classifier
from minigan.training.inputs import check_model, check_seed, check_whole


class ClassMeans(NamedTuple):
    """means: the mean noise of images of each class, (classes, latent_size), float32; NaN where there are none
    examples: the noise of the first image of each class, like means
    counts: how many there are, (classes,)
    """

    means: np.ndarray
    examples: np.ndarray
    counts: np.ndarray

    def step(self, start: int, end: int) -> np.ndarray:
        """The direction from one class to another, of length 1, (latent_size,).

        raises DataError where there is no image of one
        """
        for label in (start, end):
            if not 0 <= label < len(self.counts) or not self.counts[label]:
                raise DataError(f"step: no image is of class {label}; there are {self.counts.tolist()} of each")
        step = self.means[end] - self.means[start]
        return step / np.linalg.norm(step)


def class_means(model: GAN | VAE, judge: Classifier, count: int = 2000, seed: int = 0) -> ClassMeans:
    """The mean noise of each class of images, as a classifier tells them.

    model: not a conditional one, whose noise says nothing about the class
    judge: images of another size than its own are resized
    count: how many images are made
    raises ShapeError for a conditional model, DataError for images that cannot be made as large as the classifier's
    """
    check_model("class_means", model, GAN, VAE)
    check_model("class_means", judge, Classifier)
    check_whole(count=count)
    check_seed(seed)
    if model_classes(model):
        raise ShapeError(
            f"class_means: {model.name} is told the class beside the noise, which therefore says nothing of it"
        )
    noise = model.noise(count, random.Philox(seed, "classes")).numpy()
    told = judge.predict(fitted(generated(model, noise, None), judge.image_shape))
    counts = np.bincount(told, minlength=judge.classes)
    means, examples = np.full((2, judge.classes, noise.shape[1]), np.nan, np.float32)
    for label in np.flatnonzero(counts):
        of_class = noise[told == label]
        means[label], examples[label] = of_class.mean(0, dtype=np.float64), of_class[0]
    return ClassMeans(means, examples, counts)
