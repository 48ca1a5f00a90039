package explaind

// Mode is one of Keras' ways (applications.imagenet_utils.preprocess_input) to turn pixels 0…255 into model input.
type Mode string

// The modes. x is a pixel value 0…255.
const (
	ModeNone  Mode = "none"  // x
	ModeUnit  Mode = "unit"  // x / 255
	ModeTF    Mode = "tf"    // x / 127.5 − 1
	ModeCaffe Mode = "caffe" // BGR, x − (103.939, 116.779, 123.68)
	ModeTorch Mode = "torch" // (x / 255 − (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)
)

// Resize is a way to change the size of a picture; the numbers are those of tf.image.resize without antialiasing.
type Resize string

// The ways to resize.
const (
	ResizeBilinear Resize = "bilinear"
	ResizeBicubic  Resize = "bicubic"
	ResizeArea     Resize = "area"
)

// Crop is what is cut away before resizing.
type Crop string

// The ways to crop.
const (
	CropNone   Crop = "none"   // the whole picture; its aspect ratio is lost where the model's differs
	CropCenter Crop = "center" // the central square of CropFraction × the shorter side
)

// DefaultCropFraction is 224 of 256, as ImageNet is usually cropped.
const DefaultCropFraction = 0.875

// Preprocessing says how a picture becomes model input. The zero value means ModeNone, RGB, bilinear, no crop.
type Preprocessing struct {
	Mode         Mode
	Mean, Std    []float32 // with one of them set: (x·Scale − Mean) / Std, per channel or one for all
	Scale        float32   // 0 means 1
	BGR          bool      // channels are handed to the model as BGR
	Resize       Resize
	Crop         Crop
	CropFraction float64 // 0 means DefaultCropFraction
}
