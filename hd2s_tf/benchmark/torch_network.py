"""Our network in PyTorch, layer by layer with the same weights, as a reference for speed."""

import numpy as np
import torch
import torch.nn.functional as F

from hd2s_tf.data import preprocessing
from hd2s_tf.models.conspicuity import ConspicuityNetwork
from hd2s_tf.models.hd2s import ENDPOINT_OF_LEVEL, HD2S
from hd2s_tf.models.layers import ConvolutionUnit, InceptionBlock, SeparableConvolution, TemporalReduction
from hd2s_tf.models.s3d import LAYERS


class TorchNetwork:
    """Predicts what the model it is made from does; the model must have neither domains nor adaptation.

    Args:
      model: its variables created, batch normalisation not folded.
    """

    def __init__(self, model: HD2S) -> None:
        self._model = model
        self._tensors: dict[str, torch.Tensor] = {}

    def __call__(self, clips: np.ndarray) -> np.ndarray:
        """Saliency maps float32 [B,H,W] of clips uint8 [B,T,H,W,3]."""
        with torch.inference_mode():
            scaled = torch.from_numpy(preprocessing.scale(clips).numpy()).permute(0, 4, 1, 2, 3)
            return self._predict(scaled).numpy()

    def _predict(self, features: torch.Tensor) -> torch.Tensor:
        model, endpoints = self._model, {}
        for name, kind, sizes in LAYERS:
            if kind == "endpoint":
                endpoints[name] = features
            elif kind == "pool":
                window, strides = sizes
                padding = tuple(side // 2 if side % 2 else 0 for side in window)
                features = F.max_pool3d(features, window, strides, padding)
            else:
                features = self._layer(model.encoder.blocks[name], features)
        maps = []
        for level, reduction, network in zip(
            model.levels, model.temporal_reductions, model.conspicuity_networks, strict=True
        ):
            reduced = self._layer(reduction, endpoints[ENDPOINT_OF_LEVEL[level]])
            maps.append(self._conspicuity(network, reduced[:, :, 0]))
        if model.fusion is None:
            return maps[0][:, 0]
        kernel, bias = (torch.from_numpy(values.numpy()) for values in (model.fusion.kernel, model.fusion.bias))
        stacked = torch.cat(maps[::-1], 1)
        return torch.sigmoid(torch.einsum("bchw,c->bhw", stacked, kernel[0]) + bias[0])

    def _layer(self, layer: object, features: torch.Tensor) -> torch.Tensor:
        if isinstance(layer, ConvolutionUnit):
            return self._unit(layer, features)
        if isinstance(layer, SeparableConvolution):
            return self._unit(layer.temporal, self._unit(layer.spatial, features))
        if isinstance(layer, TemporalReduction):
            for unit in layer.units:
                features = self._unit(unit, features)
            return features
        assert isinstance(layer, InceptionBlock)
        branches = [
            self._unit(layer.branch0, features),
            self._layer(layer.branch1, self._unit(layer.reduction1, features)),
            self._layer(layer.branch2, self._unit(layer.reduction2, features)),
            self._unit(layer.branch3, F.max_pool3d(features, 3, 1, 1)),
        ]
        return torch.cat(branches, 1)

    def _conspicuity(self, network: ConspicuityNetwork, features: torch.Tensor) -> torch.Tensor:
        for units in network.stages():
            for unit in units:
                for part in [unit] if isinstance(unit, ConvolutionUnit) else [unit.depthwise, unit.pointwise]:
                    features = self._unit(part, features)
            features = F.interpolate(features, scale_factor=2, mode="bilinear", align_corners=False)
        return torch.sigmoid(F.conv2d(features, self._kernel(network.to_map), self._tensor(network.to_map.bias)))

    def _unit(self, unit: ConvolutionUnit, features: torch.Tensor) -> torch.Tensor:
        convolve = F.conv2d if len(unit.kernel_size) == 2 else F.conv3d
        padding = tuple(side // 2 for side in unit.kernel_size)
        kernel = self._kernel(unit.convolution, unit.depthwise)
        groups = features.shape[1] if unit.depthwise else 1
        features = convolve(features, kernel, stride=unit.strides, padding=padding, groups=groups)
        normalization = unit.normalization
        statistics = (normalization.moving_mean, normalization.moving_variance, normalization.gamma, normalization.beta)
        mean, variance, gamma, beta = (self._tensor(variable) for variable in statistics)
        return F.relu(F.batch_norm(features, mean, variance, gamma, beta, eps=normalization.epsilon))

    def _kernel(self, convolution: object, depthwise: bool = False) -> torch.Tensor:
        """Keras' [...,in,out] as PyTorch's [out,in,...]; depthwise [...,channels,1] as [channels,1,...]."""
        key = convolution.kernel.path + "/permuted"
        if key not in self._tensors:
            tensor = self._tensor(convolution.kernel)
            *window, before, last = range(tensor.ndim)
            order = (before, last) if depthwise else (last, before)
            self._tensors[key] = tensor.permute(*order, *window).contiguous()
        return self._tensors[key]

    def _tensor(self, variable: object) -> torch.Tensor:
        if variable.path not in self._tensors:
            self._tensors[variable.path] = torch.from_numpy(variable.numpy().copy())
        return self._tensors[variable.path]
