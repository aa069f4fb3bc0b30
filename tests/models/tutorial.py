"""The TensorFlow tutorial's captioner, written anew from its description: arrays, files, captions.

Its layers are numpy here, its files TensorFlow's. The reference takes one step at a time, as the
tutorial's `evaluate` does, and says what may be said: no word that has no row of its own.
"""

import pickle
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

FILTERS = '!"#$%&()*+.,-/:;=?@[\\]^_`{|}~ '


def said_captions(number, words, seed=0):
    """Make captions as the tutorial keeps them; some words end in a line feed, as COCO's do."""
    random = np.random.default_rng(seed)
    names = [f"w{word}x" for word in range(words)]
    captions = []
    for place in range(number):
        # Each word comes at least once; the first come more often.
        frequent = random.geometric(1 / (1 + words / 8), 4) % words
        chosen = [*(np.arange(3 * place, 3 * place + 3) % words), *frequent]
        ending = random.choice([".", " ", "\n", ".\n\n"])
        text = ", ".join(names[word].capitalize() for word in chosen)
        captions.append(f"<start> {text}{ending} <end>")
    return captions


def keras_ids(captions, top_k):
    """Give words ids as Keras' Tokenizer, of `top_k` words with `<unk>`, and the tutorial do."""
    counts = OrderedDict()
    for caption in captions:
        text = caption.lower()
        for letter in FILTERS:
            text = text.replace(letter, " ")
        for word in text.split(" "):
            if word:
                counts[word] = counts.get(word, 0) + 1
    pairs = list(counts.items())
    pairs.sort(key=lambda pair: pair[1], reverse=True)
    index = {word: place for place, word in enumerate(["<unk>", *(w for w, _ in pairs)], 1)}
    index["<pad>"] = 0
    return {word: place for word, place in index.items() if place < top_k}


@dataclass
class Tutorial:
    """A tutorial's captioner of random weights: its arrays by key, its captions, its words."""

    arrays: dict
    captions: list
    ids: dict

    @classmethod
    def draw(cls, captions, rows, embedding, units, *, reset_after=True, seed=0):
        """Draw weights that look at the photo, say many words, and come to an end."""
        random = np.random.default_rng(seed)
        ids = keras_ids(captions, rows - 1)

        def normal(*shape, scale=1.0):
            return random.normal(0, scale, shape).astype(np.float32)

        def dense(name, size, width, scale=1.0):
            return {
                f"{name}/kernel": normal(size, width, scale=scale / np.sqrt(size)),
                f"{name}/bias": normal(width, scale=0.1),
            }

        gates = 3 * units
        arrays = dense("encoder/fc", 2048, embedding)
        arrays |= dense("decoder/attention/W1", embedding, units, 0.3)
        arrays |= dense("decoder/attention/W2", units, units, 2.0)
        arrays |= dense("decoder/attention/V", units, 1, 12.0)
        arrays |= dense("decoder/fc1", units, units, 2.0)
        arrays |= dense("decoder/fc2", units, rows, 3.0)
        arrays |= {
            "decoder/embedding/embeddings": normal(rows, embedding),
            "decoder/gru/cell/kernel": normal(2 * embedding, gates, scale=0.1),
            "decoder/gru/cell/recurrent_kernel": normal(units, gates, scale=0.1),
            "decoder/gru/cell/bias": normal(*((2, gates) if reset_after else (gates,)), scale=0.3),
        }
        return cls(arrays, captions, ids)

    def favour_the_end(self, by):
        """Make `<end>` likelier, so that captions come to it."""
        self.arrays["decoder/fc2/bias"][self.ids["<end>"]] += by

    def save(self, folder, name="ckpt-1"):
        """Write the folder as the tutorial's CheckpointManager and pickle.dump do."""
        import tensorflow as tf

        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        parts = {"encoder": tf.Module(), "decoder": tf.Module()}
        variables = []
        for key, array in self.arrays.items():
            *path, last = key.split("/")
            module = parts[path[0]]
            for step in path[1:]:
                if not hasattr(module, step):
                    setattr(module, step, tf.Module())
                module = getattr(module, step)
            setattr(module, last, tf.Variable(array))
            variables.append(getattr(module, last))
        optimizer = tf.compat.v1.train.AdamOptimizer(0.0)  # it keeps slots beside the variables
        optimizer.apply_gradients([(tf.zeros_like(variables[1]), variables[1])])
        checkpoint = tf.train.Checkpoint(**parts, optimizer=optimizer)
        checkpoint.write(str(folder / name))  # as save does, but under the name that is asked for
        (folder / "checkpoint").write_text(f'model_checkpoint_path: "{name}"\n')
        with (folder / "train_captions.pickle").open("wb") as file:
            pickle.dump(self.captions, file)
        return folder

    def logits(self, grid, tokens):
        """Predict what follows each of some ids, step by step: (steps, rows)."""
        logits, hidden = [], np.zeros(len(self.arrays["decoder/fc1/kernel"]), np.float32)
        features = np.maximum(self._dense("encoder/fc", grid.reshape(64, 2048)), 0)
        for token in tokens:
            energy = np.tanh(
                self._dense("decoder/attention/W1", features)
                + self._dense("decoder/attention/W2", hidden)
            )
            score = self._dense("decoder/attention/V", energy)[:, 0]
            weights = np.exp(score - score.max())
            context = weights / weights.sum() @ features
            embedded = self.arrays["decoder/embedding/embeddings"][token]
            hidden = self._gru(np.concatenate([context, embedded]))
            logits.append(self._dense("decoder/fc2", self._dense("decoder/fc1", hidden)))
        return np.stack(logits)

    def evaluate(self, grid, longest):
        """Caption one photo as the tutorial's `evaluate`, with the likeliest word at each step."""
        words = {number: word for word, number in self.ids.items()}
        never = {self.ids[word] for word in ("<pad>", "<start>", "<unk>")}
        tokens = [self.ids["<start>"]]
        for place in range(longest):
            last = self.logits(grid, tokens)[-1]
            struck = never | ({self.ids["<end>"]} if place == 0 else set())
            allowed = [number for number in words if number not in struck]
            tokens.append(max(allowed, key=lambda number: last[number]))
            if words[tokens[-1]] == "<end>":
                break
        return [words[token] for token in tokens[1:] if words[token] != "<end>"]

    def _dense(self, name, x):
        return x @ self.arrays[f"{name}/kernel"] + self.arrays[f"{name}/bias"]

    def _gru(self, x):
        """One step of a GRU from a state of zeros: what is multiplied by the state is its bias."""
        kernel, bias = (self.arrays[f"decoder/gru/cell/{name}"] for name in ("kernel", "bias"))
        before, inner = bias if bias.ndim == 2 else (bias, np.zeros_like(bias))
        z, r, h = np.split(x @ kernel + before, 3)
        inner_z, inner_r, inner_h = np.split(inner, 3)
        update, reset = _sigmoid(z + inner_z), _sigmoid(r + inner_r)
        return (1 - update) * np.tanh(h + reset * inner_h)


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))


def split_into_two_parts(folder, name="ckpt-1"):
    """Rewrite a checkpoint as one of two data files."""
    import tensorflow as tf

    reader = tf.train.load_checkpoint(str(folder / name))
    names = sorted(reader.get_variable_to_shape_map())
    prefixes = []
    for part, some in enumerate((names[::2], names[1::2])):
        prefixes.append(str(folder / f"part{part}"))
        tensors = [reader.get_tensor(one) for one in some]
        tf.raw_ops.SaveV2(
            prefix=prefixes[-1],
            tensor_names=some,
            shape_and_slices=[""] * len(some),
            tensors=tensors,
        )
    for path in folder.glob(f"{name}.*"):
        path.unlink()
    tf.raw_ops.MergeV2Checkpoints(
        checkpoint_prefixes=prefixes, destination_prefix=str(folder / name), delete_old_dirs=False
    )
