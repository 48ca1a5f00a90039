package graphdef

import (
	"fmt"
	"slices"
	"testing"
)

// A residual network with a batch normalisation behind its first convolution, a pooling at its end, a side branch that
// no class depends on, and a constant that is as large as a feature map.
func TestFindLayers(t *testing.T) {
	g := graph(`
		Placeholder x
		Const k
		Const noise
		Conv2D m/conv1/Conv2D x k
		BiasAdd m/conv1/BiasAdd m/conv1/Conv2D k
		FusedBatchNormV3 m/bn1/FusedBatchNormV3 m/conv1/BiasAdd k k k k
		Relu m/relu1/Relu m/bn1/FusedBatchNormV3
		Add m/noise/add noise noise
		Conv2D m/conv2/Conv2D m/relu1/Relu k
		Relu m/conv2/Relu m/conv2/Conv2D
		Add m/sum/add m/conv2/Relu m/relu1/Relu
		Conv2D m/side/Conv2D m/sum/add k
		MaxPool m/pool/MaxPool m/sum/add
		Mean m/gap/Mean m/pool/MaxPool k
		MatMul m/dense/MatMul m/gap/Mean k
		Softmax m/dense/Softmax m/dense/MatMul`)
	shapes := map[string][]int64{"m/gap/Mean": {-1, 8}, "m/dense/MatMul": {-1, 5}, "m/dense/Softmax": {-1, 5}, "x": {-1, 32, 32, 3}}
	for _, n := range g.Nodes {
		if _, ok := shapes[n.Name]; !ok && n.Name != "k" {
			shapes[n.Name] = []int64{-1, 16, 16, 8}
		}
	}
	shapes["m/pool/MaxPool"] = []int64{-1, 8, 8, 8}
	layers, defaultLayer := FindLayers(g, Ref{Node: "x"}, Ref{Node: "m/dense/MatMul"}, shapesOf(shapes))
	var got []string
	for _, l := range layers {
		got = append(got, fmt.Sprintf("%s %s %s kernel=%s", l.Name, l.Op, l.Output, l.Kernel))
	}
	want := []string{
		"conv1 BiasAdd m/conv1/BiasAdd kernel=k",
		"bn1 FusedBatchNormV3 m/bn1/FusedBatchNormV3 kernel=",
		"relu1 Relu m/relu1/Relu kernel=",
		"conv2 Relu m/conv2/Relu kernel=k",
		"sum Add m/sum/add kernel=",
		"pool MaxPool m/pool/MaxPool kernel=",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
	if defaultLayer != 4 {
		t.Errorf("default layer %d, want 4: the pooling computes nothing", defaultLayer)
	}
}

// Query, scores and values of an attention have rank 4, but no positions.
func TestFindLayersLeavesAttentionOut(t *testing.T) {
	g := graph(`
		Placeholder x
		Const w
		Conv2D m/conv/Conv2D x w
		Reshape m/tokens/Reshape m/conv/Conv2D w
		Einsum m/query/Einsum m/tokens/Reshape w
		Einsum m/attention/Einsum m/query/Einsum m/query/Einsum
		Softmax m/attention/Softmax m/attention/Einsum
		Einsum m/value/Einsum m/attention/Softmax m/query/Einsum
		Reshape m/grid/Reshape m/value/Einsum w
		Relu m/relu/Relu m/grid/Reshape
		Mean m/mean/Mean m/relu/Relu w
		MatMul m/dense/MatMul m/mean/Mean w`)
	shapes := shapesOf(map[string][]int64{
		"x": {-1, 32, 32, 3}, "m/conv/Conv2D": {-1, 8, 8, 6}, "m/tokens/Reshape": {-1, 64, 6}, "m/query/Einsum": {-1, 64, 2, 3},
		"m/attention/Einsum": {-1, 2, 64, 64}, "m/attention/Softmax": {-1, 2, 64, 64}, "m/value/Einsum": {-1, 64, 2, 3},
		"m/grid/Reshape": {-1, 8, 8, 6}, "m/relu/Relu": {-1, 8, 8, 6}, "m/mean/Mean": {-1, 6}, "m/dense/MatMul": {-1, 5},
	})
	layers, defaultLayer := FindLayers(g, Ref{Node: "x"}, Ref{Node: "m/dense/MatMul"}, shapes)
	var got []string
	for _, l := range layers {
		got = append(got, l.Name)
	}
	if !slices.Equal(got, []string{"conv", "grid", "relu"}) || defaultLayer != 2 {
		t.Errorf("got %v, default %d; want conv, grid and relu, default 2", got, defaultLayer)
	}
}

// Without a map of more than one position there is nothing to explain.
func TestFindLayersOfADenseModel(t *testing.T) {
	g := graph(`
		Placeholder x
		Const w
		Reshape flat x w
		MatMul dense flat w
		Reshape square dense w
		Softmax out square`)
	shapes := shapesOf(map[string][]int64{"x": {-1, 8, 8, 3}, "flat": {-1, 192}, "dense": {-1, 5}, "square": {-1, 1, 1, 5}, "out": {-1, 1, 1, 5}})
	if layers, defaultLayer := FindLayers(g, Ref{Node: "x"}, Ref{Node: "square"}, shapes); len(layers) != 0 || defaultLayer != -1 {
		t.Errorf("found %v, default %d; want none", layers, defaultLayer)
	}
}
