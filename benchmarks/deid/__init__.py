"""DICOM files with strings planted in every place where one can stand, and the search for them."""
