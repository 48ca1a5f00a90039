#!/usr/bin/env bash
# Scores methods over the pictures of make_photos.py, and writes the tables of docs/comparison.md.
#
#   bench/comparison/compare.sh PYTHON MODEL_DIR PICTURES_DIR
set -euo pipefail
cd "$(dirname "$0")/../.."

python=$1 model=$2 pictures=$3
results=bench/results

"$python" bench/comparison/make_photos.py --out "$pictures"
# The paper compares Grad-CAM++ with Grad-CAM at the last convolution. In this model that layer is pooled and read by one dense
# layer, where most methods give one and the same map, so an earlier layer is compared too.
bin/explaind evaluate "$pictures" --model "$model" --layer head_conv --csv "$results/comparison_last_layer.csv" \
	--method grad_cam,grad_cam_plus_plus,cam,hires_cam,xgrad_cam,layer_cam,eigen_cam,eigen_grad_cam,score_cam,ablation_cam,smooth_grad_cam_plus_plus,saliency,smooth_grad,integrated_gradients,guided_backprop,guided_grad_cam,occlusion,rise \
	--score-cam-max-channels 128 --noise-samples 20 --rise-masks 500
bin/explaind evaluate "$pictures" --model "$model" --layer block5_3 --csv "$results/comparison_earlier_layer.csv" \
	--method grad_cam,grad_cam_plus_plus,hires_cam,xgrad_cam,layer_cam,eigen_cam,eigen_grad_cam,ablation_cam
"$python" bench/comparison/comparison_table.py
