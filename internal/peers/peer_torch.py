"""What the PyTorch peers share: pictures as tensors, and models that end in the score of a question."""

import numpy as np
import torch

import models


def tensor(picture):
    """[H, W, C] or [N, H, W, C] as [N, C, H, W], float32."""
    pictures = np.asarray(picture, np.float32).reshape(-1, *np.shape(picture)[-3:])
    return torch.from_numpy(pictures.transpose(0, 3, 1, 2).copy())


def picture(t):
    """The first of [N, C, H, W] as [H, W, C]."""
    return t[0].detach().numpy().transpose(1, 2, 0)


class Scored(torch.nn.Module):
    """A model whose only output [N, 1] is the question's score."""

    def __init__(self, question):
        super().__init__()
        self.body, self.question = models.torch_model(question.model), question

    def forward(self, x):
        q, outputs = self.question, self.body(x)
        if q.score == "probability":
            outputs = torch.softmax(outputs, dim=1)
        return outputs[:, [q.target]] - (0 if q.versus is None else outputs[:, [q.versus]])

    @property
    def layer(self):
        return self.body.get_submodule(f"{self.question.layer}_relu")
