"""Every public name of the packages beside the engine in ordinary use, for pyright and for a test that runs it."""

from pathlib import Path
from typing import assert_type

import numpy as np

import minigan as mg


def use_data(folder: str) -> None:
    glyphs = mg.data.load("glyphs", count=64, size=8)
    assert_type(glyphs, mg.data.Dataset)
    train, test = mg.data.load_splits("glyphs", size=8)
    assert test is not None
    print(len(train), test.labels, glyphs.classes, glyphs.left_out == mg.data.LeftOut())
    augment = mg.data.Augment(flip=True, shift=1)
    batches = mg.data.Batches(glyphs.images, glyphs.labels, batch_size=16, augment=augment)
    images, labels = next(batches)
    batches.close()
    assert_type(mg.data.to_uint8(mg.data.scaled(glyphs.images)), np.ndarray)
    print(images.shape, labels, mg.data.glyphs(3).images, [each.name for each in mg.data.available()])
    print(mg.data.cache_folder() / "mnist")
    for read in (mg.data.cifar10, mg.data.fashion_mnist, mg.data.mnist, mg.data.read_idx, mg.data.image_folder):
        try:
            read(f"{folder}/nothing-here")
        except mg.DataError as error:
            print(error)


def use_gan(folder: str) -> None:
    glyphs = mg.data.glyphs(64, size=8)
    seen: list[int] = []
    result = mg.gan.fit(
        "mlp-gan",
        glyphs,
        steps=4,
        batch=16,
        recipe=mg.gan.Recipe(objective="hinge", ema=0.9),
        callbacks=[
            mg.gan.Every(2, lambda trainer, record: seen.append(record["step"])),
            mg.gan.Progress(),
            mg.gan.Callback(),
        ],
        out=f"{folder}/run",
    )
    assert_type(result, mg.gan.Result)
    assert_type(result.gan, mg.models.GAN)
    assert_type(result.history, mg.gan.History)
    print(result.history.column("generator_loss"), result.settings, seen)
    gan = mg.gan.load(f"{folder}/run")
    images = mg.gan.sample(gan, 4, seed=1)
    Path(folder, "grid.png").write_bytes(mg.gan.grid_png(images, columns=2))
    assert mg.gan.grid(images).ndim == 3
    batches = mg.data.Batches(glyphs.images, batch_size=16)
    trainer = mg.gan.Trainer(gan, batches, steps=2, callbacks=[mg.gan.Recorder(f"{folder}/mine", {"model": "mlp-gan"})])
    print(trainer.train_step(*next(batches)))
    objective = mg.gan.OBJECTIVES["wasserstein"]
    assert isinstance(objective, mg.gan.Objective)
    for error in (mg.gan.DivergedError, mg.gan.Interrupted, mg.gan.RunError, mg.gan.TrainingError):
        assert issubclass(error, BaseException)


def use_models() -> None:
    for name, kind in {"mlp-gan": mg.models.GAN, "vae": mg.models.VAE, "cnn": mg.models.Classifier}.items():
        model = mg.models.build(name, (8, 8, 1), classes=10)
        assert_type(model, mg.models.Model)
        assert isinstance(model, kind)
        for part, size in mg.models.size(model).items():
            assert_type(size, mg.models.Size)
            print(part, size.parameters, size.multiply_adds, model.digest())
    restorer = mg.models.build("deconvnet", (8, 8, 1), task="denoising")
    assert isinstance(restorer, mg.models.Restorer)
    print(mg.models.available(), mg.models.kind_of("dcgan"), mg.models.size_for("dcgan", 30, 30), mg.models.Recipe())


def use_other_kinds() -> None:
    glyphs, test = mg.data.glyphs(64, size=8), mg.data.glyphs(32, split="test", size=8)
    trained = mg.classifier.fit("cnn", glyphs, test=test, steps=2, batch=8)
    assert_type(trained, mg.classifier.Result)
    assert_type(trained.model, mg.classifier.Classifier)
    print(trained.accuracy, trained.confusion_matrix, trained.predict(test.images))
    vae = mg.vae.fit("vae", glyphs, test=test, steps=2, batch=8)
    assert_type(vae, mg.vae.Result)
    assert_type(vae.model, mg.vae.VAE)
    print(mg.vae.sample(vae.model, 4), mg.vae.reconstruct(vae.model, test.images))
    restored = mg.restoration.fit("deconvnet", glyphs, task="denoising", test=test, steps=2, batch=8)
    assert_type(restored, mg.restoration.Result)
    assert_type(restored.model, mg.restoration.Restorer)
    print(mg.restoration.predict(restored.model, test.images))
    task = mg.restoration.TASKS["denoising"]
    assert isinstance(task, mg.restoration.Task)
    print(mg.restoration.evaluate(restored.model, test.images, np.random.default_rng(0)).figures)
    for trainer in (mg.classifier.Trainer, mg.vae.Trainer, mg.restoration.Trainer):
        assert issubclass(trainer, mg.training.Loop)
    for load in (mg.classifier.load, mg.vae.load, mg.restoration.load):
        try:
            load("no-such-run")
        except mg.training.RunError as error:
            print(error)


def use_evaluation(folder: str) -> None:
    train, test = mg.data.glyphs(400), mg.data.glyphs(200, split="test")
    judge = mg.classifier.fit("cnn", train, test=test, steps=2, batch=8).model
    gans = [mg.models.build("mlp-gan", (28, 28, 1), seed) for seed in (0, 1)]
    first, second = (gan for gan in gans if isinstance(gan, mg.models.GAN))
    images = mg.gan.sample(first, 100)
    found = mg.evaluation.evaluate(images, judge, train, test)
    assert_type(found, mg.evaluation.Evaluation)
    assert_type(found.made, mg.evaluation.Scores)
    assert_type(found.judge, mg.evaluation.Judge)
    print(mg.evaluation.Reference(judge, train, test), found.made.frechet, found.floor.precision)
    apart = mg.evaluation.tell_apart(images, test.images, steps=2)
    assert_type(apart, mg.evaluation.ToldApart)
    assert_type(apart.interval, mg.evaluation.Interval)
    assert_type(mg.evaluation.swapped(first, second, test, count=100), mg.evaluation.Swapped)
    page = Path(folder, "page.html")
    page.write_text(mg.evaluation.page(images[:4], test.images[:4], seconds=1.0))
    try:
        answered = mg.evaluation.answered([page])
        assert_type(answered, mg.evaluation.Answered)
        assert_type(answered.people, tuple[mg.evaluation.Person, ...])
        assert_type(answered.pooled.right, mg.evaluation.Share)
    except mg.DataError as error:  # that is the page, not what people answered on it
        print(error)
    print(mg.evaluation.wilson(3, 4).low, mg.evaluation.fid.FORMAT, mg.evaluation.inception_weights.load)


def use_inside() -> None:
    cnn, gan = (mg.models.build(name, (8, 8, 1), classes=10) for name in ("cnn", "mlp-gan"))
    assert isinstance(cnn, mg.models.Classifier)
    assert isinstance(gan, mg.models.GAN)
    images = mg.data.glyphs(20, size=8).images
    assert_type(mg.inside.saliency(cnn, images[:2]), np.ndarray)
    layer = mg.inside.activations_of(cnn)[0]
    assert_type(mg.inside.views(cnn, images, layer, maps=2, top=2), mg.inside.Views)
    found = mg.inside.directions(gan, 2, points=2)
    assert_type(found, mg.inside.Directions)
    start, end = mg.inside.ends(gan, 2)
    print(mg.inside.along(gan, start[0], found.vectors, steps=3), mg.inside.path(start, end, 3))
    print(mg.inside.interpolate(gan, start, end, steps=3))
    assert_type(mg.inside.class_means(gan, cnn, count=20), mg.inside.ClassMeans)


def use_metrics() -> None:
    drawn = np.random.default_rng(0)
    a, b = drawn.standard_normal((2, 60, 4))
    running = mg.metrics.RunningMoments(4)
    running.add(a)
    moments = mg.metrics.moments(a)
    assert_type(moments, mg.metrics.Moments)
    print(mg.metrics.frechet_distance(moments, b))
    assert_type(mg.metrics.kernel_distance(a, b, subsets=2, size=20), mg.metrics.Estimate)
    assert_type(mg.metrics.precision_recall(a, b), mg.metrics.PrecisionRecall)
    print(mg.metrics.nearest(a, b), mg.metrics.classifier_score(a, splits=2))
    print(mg.metrics.classes_covered(np.array([0, 1]), np.array([0, 1]), 2))
    images = drawn.integers(0, 200, (2, 16, 16, 1), np.uint8)
    print(mg.metrics.psnr(images, images + 1), mg.metrics.ssim(images, images + 1))


def use_tools_of_engineers() -> None:
    network = mg.nn.Sequential(mg.nn.Linear(4, 4), mg.nn.ReLU(), mg.nn.Linear(4, 1))
    pruned = mg.pruning.prune(network, 0.5, scope=mg.pruning.SCOPES[0])
    assert_type(pruned, mg.pruning.Pruned)
    print(pruned.layers, mg.pruning.weights_of(network), mg.pruning.LAYERS, mg.pruning.deflated_size(network))
    print(mg.pruning.player_of(mg.models.build("mlp-gan", (8, 8, 1))))
    with mg.debug.trace_nans() as watch:
        assert_type(watch, mg.debug.Watch)
        network(mg.tensor(np.ones((2, 4), np.float32)))
    assert issubclass(mg.debug.NanError, mg.MiniganError)
    mg.testing.check_adjoint(lambda x: 2 * x, lambda y: 2 * y, np.ones(3), np.ones(3))
    print(mg.testing.inner(np.ones(3), np.ones(3)), mg.testing.ConvCase)
    print(mg.testing.conv_cases(), mg.testing.pool_cases(), mg.testing.shapes(), mg.testing.broadcastable_shapes())
    print(mg.testing.arrays((2, 3)))
    x = mg.plain.Tensor([[1.0, 2.0], [3.0, 4.0]])
    y = mg.plain.tanh(mg.plain.matmul(x, mg.plain.transpose(mg.plain.multiply(mg.plain.add(x, x), x))))
    print(mg.plain.grad(mg.plain.sum_to(y, shape=()), [x]), mg.plain.broadcast_to(x, shape=(2, 2, 2)))
    print(mg.plain.history(y), mg.plain.operation)
    assert mg.kernels.of(np.ones(1)) is mg.kernels.named(mg.kernels.CPU)
    print(mg.kernels.PRECISIONS, mg.kernels.precision_now(), mg.kernels.own)
    mg.kernels.register("mine", {"matmul": lambda *given: mg.kernels.named("reference").matmul(*given)})
    with mg.kernels.using("mine"), mg.kernels.precision("float32"):
        network(mg.tensor(np.ones((2, 4), np.float32)))


class Halves(mg.training.Callback):
    """A user's callback."""

    def on_step(self, trainer: mg.training.Loop, record: dict) -> None:
        if trainer.step == trainer.steps // 2:
            trainer.stop()


def use_training() -> None:
    try:
        mg.vae.fit("vae", mg.data.glyphs(32, size=8), steps=2, batch=8, callbacks=[Halves()])
    except mg.training.Interrupted as stopped:
        if stopped.result is not None:
            assert_type(stopped.result.history, mg.training.History)
    curves = mg.training.Curves("Loss", {"training": "loss"})
    print(
        mg.training.Shown(curves=(curves,)),
        mg.training.Every(1, print),
        mg.training.Progress(),
        mg.training.Recorder,
        mg.training.Result,
        mg.training.RunWarning,
    )
    for error in (mg.training.DivergedError, mg.training.RunError, mg.training.Terminated, mg.training.TrainingError):
        assert issubclass(error, BaseException)
